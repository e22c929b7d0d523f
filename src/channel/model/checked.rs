//! What a segment holds, as the model checker sees it.

use loom::cell::UnsafeCell;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Words by their offset, and for each run of bytes a cell that knows who reads and writes it.
#[derive(Default)]
pub struct Checked {
    words: Mutex<BTreeMap<usize, Box<dyn Any + Send + Sync>>>,
    cells: Mutex<BTreeMap<usize, Box<UnsafeCell<()>>>>,
}

impl Checked {
    /// The words at `offset`.
    pub fn words<T: Default + Send + Sync + 'static>(&self, offset: usize) -> &T {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = words.entry(offset).or_insert_with(|| Box::new(T::default()));
        let words: *const T = words.downcast_ref().expect("one kind of words at an offset");
        // SAFETY: nothing is taken out of the map while it lives, and a box does not move.
        unsafe { &*words }
    }

    /// The bytes from `offset` are read.
    pub fn read(&self, offset: usize) {
        self.cell(offset).with(|_| ());
    }

    /// The bytes from `offset` are written.
    pub fn write(&self, offset: usize) {
        self.cell(offset).with_mut(|_| ());
    }

    fn cell(&self, offset: usize) -> &UnsafeCell<()> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let cell: *const UnsafeCell<()> = &**cells.entry(offset).or_insert_with(|| Box::new(UnsafeCell::new(())));
        // SAFETY: as in `words`.
        unsafe { &*cell }
    }
}
