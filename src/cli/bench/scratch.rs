//! A private folder for the figures of one run, gone with the run.

use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Names that are tried, where somebody has taken the first ones.
const MAX_NAMES: u32 = 100;

/// The folder. Removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one that only this user can look into.
    pub fn create() -> io::Result<Self> {
        let below = std::env::temp_dir();
        for at in 0..MAX_NAMES {
            let path = below.join(format!("ezrun-bench-{}-{at}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} is full of folders of this name", below.display())))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left for whoever cleans the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
