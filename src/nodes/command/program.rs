//! Where the program of a `command` is.

use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// Why a program cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramFault {
    /// What is called by its path is not there, or cannot be looked at.
    #[error("{0} (a program with a slash in its name is relative to the graph file)")]
    NotThere(std::io::Error),
    /// It is no file.
    #[error("it is a folder")]
    Folder,
    /// It may not be executed.
    #[error("it is not executable (chmod +x would make it so)")]
    NotExecutable,
    /// No folder of PATH has it.
    #[error("there is no such program in PATH{}", beside.as_ref().map(|name| format!("; the one beside the graph file is ./{name}")).unwrap_or_default())]
    NotInPath {
        /// Its name, where there is a file that is called so beside the graph file.
        beside: Option<String>,
    },
}

/// The program called `name`, absolute: seen from `dir`, the folder of the graph file, if there is a slash in it, else in
/// one of `folders`, which are those of a `PATH`.
///
/// # Errors
/// [`ProgramFault`]
pub fn find_program(name: &str, dir: &Path, folders: impl Iterator<Item = PathBuf>) -> Result<PathBuf, ProgramFault> {
    if name.contains('/') {
        let path = dir.join(name);
        return match std::fs::metadata(&path) {
            Err(cause) => Err(ProgramFault::NotThere(cause)),
            Ok(found) if found.is_dir() => Err(ProgramFault::Folder),
            Ok(_) if !is_program(&path) => Err(ProgramFault::NotExecutable),
            Ok(_) => std::path::absolute(&path).map_err(ProgramFault::NotThere),
        };
    }
    let found = folders.map(|folder| folder.join(name)).find(|path| is_program(path));
    found.and_then(|path| std::path::absolute(path).ok()).ok_or_else(|| {
        let beside = dir.join(name).exists().then(|| name.to_owned());
        ProgramFault::NotInPath { beside }
    })
}

fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}
