//! Whether the files that nodes name can be read, or written. They are looked at, and not opened.

use super::looks::Looks;
use super::yaml::shorten;
use rustix::fs::{Access, access};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
use std::path::Path;

/// Most characters that are shown of a path.
pub(super) const MAX_SHOWN: usize = 200;

const WAY_OUT_OF_ABSENCE: &str =
    "correct the path, which is relative to the graph file, or make that file before the run";
const WAY_OUT_OF_RIGHTS: &str = "give the user who runs the graph that right, or write elsewhere";

/// Why a file cannot be read or written, and the way out.
#[derive(Clone)]
pub(super) struct Obstacle {
    pub what: String,
    pub help: Cow<'static, str>,
}

/// What is known of files to read.
#[derive(Default)]
pub(super) struct Inputs<'a> {
    looks: Looks,
    /// By what they are seen from, and by what they are called there.
    known: HashMap<(&'a OsStr, &'a str), Option<Obstacle>>,
}

/// What is known of files to write.
#[derive(Default)]
pub(super) struct Outputs<'a> {
    looks: Looks,
    /// By what a folder is seen from, and by what it is called there.
    folders: HashMap<(&'a OsStr, &'a OsStr), Option<Obstacle>>,
}

impl<'a> Inputs<'a> {
    /// What is in the way of reading the file that is called `path` in `dir`.
    pub fn obstacle(&mut self, dir: &'a Path, path: &'a str) -> Option<Obstacle> {
        let known = self.known.entry((dir.as_os_str(), path));
        known.or_insert_with(|| why_not_read(dir, path, &mut self.looks)).clone()
    }
}

fn why_not_read(dir: &Path, path: &str, looks: &mut Looks) -> Option<Obstacle> {
    let full = dir.join(path);
    if !looks.may(&full) {
        return None;
    }
    let what = match std::fs::metadata(&full) {
        Err(e) if matches!(e.kind(), NotFound | NotADirectory) => "there is no such file".to_owned(),
        Err(e) => format!("that cannot be looked at: {e}"),
        Ok(found) if found.is_dir() => "that is a folder".to_owned(),
        Ok(_) if access(full, Access::READ_OK).is_ok() => return None,
        Ok(_) => "that may not be read here".to_owned(),
    };
    let help = shell_word(path).map_or(WAY_OUT_OF_ABSENCE.into(), |word| in_our_words(word, path).into());
    Some(Obstacle { what, help })
}

impl<'a> Outputs<'a> {
    /// What is in the way of the file that is called `path` in `dir`. The folders above it are made where they are missing.
    pub fn obstacle(&mut self, dir: &'a Path, path: &'a str) -> Option<Obstacle> {
        if let Some(word) = shell_word(path) {
            return obstacle(format!("`{word}` stands for no folder here"), in_our_words(word, path));
        }
        let full = dir.join(path);
        if !self.looks.may(&full) {
            return None;
        }
        match std::fs::metadata(&full) {
            Ok(found) if found.is_dir() => obstacle("that is a folder", "name a file in it"),
            // A pipe or a device may be another one to the process that runs the node, as `/dev/stdout` is.
            Ok(found) if !found.is_file() || access(&full, Access::WRITE_OK).is_ok() => None,
            Ok(_) => obstacle("that may not be written here", WAY_OUT_OF_RIGHTS),
            Err(e) if !matches!(e.kind(), NotFound | NotADirectory | PermissionDenied) => {
                obstacle(format!("that cannot be made: {e}"), "correct the path, which is relative to the graph file")
            }
            Err(_) if is_name_of_folder(path) => obstacle("that is the name of a folder", "name a file in it"),
            Err(_) => {
                let folder = Path::new(path).parent()?;
                let known = self.folders.entry((dir.as_os_str(), folder.as_os_str()));
                known.or_insert_with(|| folder_obstacle(dir, folder, &mut self.looks)).clone()
            }
        }
    }
}

/// Why nothing can be made in a folder, or the folder itself cannot.
fn folder_obstacle(dir: &Path, folder: &Path, looks: &mut Looks) -> Option<Obstacle> {
    let there = looks.nearest(dir, folder, |folder| folder.symlink_metadata().is_ok()).filter(|_| !looks.are_over())?;
    let full = dir.join(there);
    let name = match there.to_str() {
        Some("") => "the folder of the graph file".to_owned(),
        _ => format!("`{}`", shorten(&there.to_string_lossy(), MAX_SHOWN)),
    };
    match std::fs::metadata(&full) {
        Err(_) => obstacle(format!("{name} is a link that leads nowhere"), "make what it leads to, or write elsewhere"),
        Ok(found) if !found.is_dir() => {
            obstacle(format!("{name} is no folder"), "write elsewhere, or rename that file")
        }
        Ok(_) if access(&full, Access::WRITE_OK | Access::EXEC_OK).is_ok() => None,
        Ok(_) => obstacle(format!("nothing may be made in {name} here"), WAY_OUT_OF_RIGHTS),
    }
}

fn obstacle(what: impl Into<String>, help: impl Into<Cow<'static, str>>) -> Option<Obstacle> {
    Some(Obstacle { what: what.into(), help: help.into() })
}

/// What only a shell would put something else for, at the beginning of a path: `~` or `$NAME`.
fn shell_word(path: &str) -> Option<&str> {
    let word = path.split('/').next()?;
    let is_name = |name: &str| {
        let is_part = |part: char| part.is_ascii_alphanumeric() || part == '_';
        !name.is_empty() && name.len() <= MAX_SHOWN && name.chars().all(is_part)
    };
    (word == "~" || word.strip_prefix('$').is_some_and(is_name)).then_some(word)
}

/// How a path that begins with such a word is written here.
fn in_our_words(word: &str, path: &str) -> String {
    let (name, rest) = (word.strip_prefix('$').unwrap_or("HOME"), shorten(&path[word.len()..], MAX_SHOWN));
    format!("write `\"${{env:{name}}}{rest}\"`, or `./{word}{rest}` for what is called so")
}

/// Whether a path can only be that of a folder, even if nothing is there.
pub(super) fn is_name_of_folder(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "." | ".."))
}
