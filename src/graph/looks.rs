//! How much of the file system is looked at for one graph: whatever it names, and however often, checking it stays quick.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// All that may be spent. A large graph of usual paths spends a tenth of it.
const BUDGET: usize = 200_000;
/// What a look costs besides its path.
const EACH: usize = 4;
/// So many bytes of a path cost as much as one step into a folder.
const BYTES_PER_STEP: usize = 64;

/// What is left to be spent.
pub(super) struct Looks {
    left: usize,
}

impl Default for Looks {
    fn default() -> Self {
        Looks { left: BUDGET }
    }
}

impl Looks {
    /// Whether `path` may be looked at; after the first that may not, none may.
    pub(super) fn may(&mut self, path: &Path) -> bool {
        let path = path.as_os_str().as_bytes();
        let steps = path.iter().filter(|&&byte| byte == b'/').count();
        self.left = self.left.saturating_sub(EACH + steps + path.len() / BYTES_PER_STEP);
        !self.are_over()
    }

    /// The nearest of `folder` and those above it, seen from `dir`, that `is_there`: below what is not there nothing is.
    pub(super) fn nearest<'f>(
        &mut self,
        dir: &Path,
        folder: &'f Path,
        is_there: impl Fn(&Path) -> bool,
    ) -> Option<&'f Path> {
        let folders: Vec<&Path> = folder.ancestors().collect();
        let is_away = |folder: &&Path| {
            let full = dir.join(folder);
            !self.may(&full) || !is_there(&full)
        };
        folders.get(folders.partition_point(is_away)).copied()
    }

    /// Whether nothing more is looked at.
    pub(super) fn are_over(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_programs_in_a_usual_path_are_looked_for_and_deep_paths_end_it_soon() {
        let mut looks = Looks::default();
        assert!((0..10_000).all(|_| looks.may(Path::new("/usr/local/bin/program"))));
        let deep = "../".repeat(1300);
        assert!((0..200).any(|_| !looks.may(Path::new(&deep))));
        assert!(looks.are_over() && !looks.may(Path::new("a")), "nothing after that");
    }
}
