//! The memory that control groups leave to this process, as a container has them.

use std::path::{Component, Path};

/// The least that the groups in `memberships`, a text as in `/proc/self/cgroup`, and those above them allow, in bytes;
/// nothing where none has a limit. The groups are folders below `root`.
pub fn limit(root: &Path, memberships: &str) -> Option<u64> {
    memberships.lines().filter_map(|line| of_membership(root, line)).min()
}

/// A line is `0::/PATH` where there is one tree of groups, `NUMBER:CONTROLLER,CONTROLLER:/PATH` for each of several.
fn of_membership(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    if controllers.is_empty() {
        // Beside trees of the older kind, the one tree lies in a folder of its own.
        let trees = [root.to_owned(), root.join("unified")];
        return trees.iter().filter_map(|tree| least_on_the_way(tree, path, "memory.max")).min();
    }
    let has_memory = controllers.split(',').any(|controller| controller == "memory");
    has_memory.then(|| least_on_the_way(&root.join("memory"), path, "memory.limit_in_bytes")).flatten()
}

/// The least number in the files called `name`, from the folder `path` below `tree` up to `tree` itself. In a container
/// the path may be that of the machine outside, of which only the upper end is there.
fn least_on_the_way(tree: &Path, path: &str, name: &str) -> Option<u64> {
    let mut folder = tree.to_owned();
    let mut folders = vec![folder.clone()];
    for part in Path::new(path).components() {
        if let Component::Normal(part) = part {
            folder.push(part);
            folders.push(folder.clone());
        }
    }
    // `max` is no number, and no limit.
    let number = |folder: &Path| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok();
    folders.iter().filter_map(|folder| number(folder)).min()
}

#[cfg(test)]
mod tests {
    use super::limit;
    use std::path::Path;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_least_limit_on_the_way_up_counts() {
        let root = tree(&[
            ("a/memory.max", "1000\n"),
            ("a/b/memory.max", "max\n"),
            ("a/b/c/memory.max", "2000\n"),
            ("other/memory.max", "10\n"),
        ]);
        assert_eq!(limit(root.path(), "0::/a/b/c\n"), Some(1000));
        assert_eq!(limit(root.path(), "0::/a/b/c/gone\n"), Some(1000));
        assert_eq!(limit(root.path(), "0::/\n"), None);
        assert_eq!(limit(root.path(), "0::/../../a\n"), Some(1000));
        assert_eq!(limit(Path::new("/nowhere"), "0::/a\n"), None);
        assert_eq!(limit(root.path(), "garbage\n:\n\n"), None);
    }

    #[test]
    fn a_container_may_see_only_the_upper_end() {
        let root = tree(&[("memory.max", "4096\n")]);
        assert_eq!(limit(root.path(), "0::/\n"), Some(4096));
        assert_eq!(limit(root.path(), "0::/docker/0123\n"), Some(4096));
    }

    #[test]
    fn groups_of_the_older_kind_count_too() {
        let root = tree(&[
            ("memory/x/memory.limit_in_bytes", "500\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("unified/x/memory.max", "700\n"),
            ("cpu/x/memory.limit_in_bytes", "1\n"),
        ]);
        assert_eq!(limit(root.path(), "12:cpu,cpuacct:/x\n4:hugetlb,memory:/x\n0::/x\n"), Some(500));
        assert_eq!(limit(root.path(), "0::/x\n"), Some(700));
    }
}
