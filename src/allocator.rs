//! The allocator of the static binary: dlmalloc for small blocks, musl's own for large ones.
//!
//! With musl's own alone, a table takes two fifths more CPU, since musl gives memory back to the kernel as soon as it can and
//! takes it anew right after. dlmalloc keeps what was given back. But it copies a large block that grows, and then a list of
//! Jobs is there twice for a while. musl has the kernel move it.
//!
//! This is the one module with unsafe code, as the trait of an allocator is unsafe. It is sound as long as both allocators
//! are, because a block goes back only to the one that it came from. What decides is the size in the block's layout, and
//! every caller has to give a block back with the layout that it was asked for with.
#![expect(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout},
    ptr,
};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: BySize<dlmalloc::GlobalDlmalloc, std::alloc::System> =
    BySize(dlmalloc::GlobalDlmalloc, std::alloc::System);

/// Blocks of less than [`LARGE`] bytes come from the first, all others from the second.
struct BySize<Small, Large>(Small, Large);

/// From this size on, musl has the kernel map each block by itself.
const LARGE: usize = 128 * 1024;

// SAFETY: both parts are allocators. A block only ever meets the one that it came from, as its size says.
unsafe impl<Small: GlobalAlloc, Large: GlobalAlloc> GlobalAlloc for BySize<Small, Large> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that each part wants.
        unsafe {
            if layout.size() < LARGE {
                self.0.alloc(layout)
            } else {
                self.1.alloc(layout)
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if layout.size() < LARGE {
                self.0.alloc_zeroed(layout)
            } else {
                self.1.alloc_zeroed(layout)
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: it was asked for with this layout, so it is of the part that its size says.
        unsafe {
            if layout.size() < LARGE {
                self.0.dealloc(block, layout)
            } else {
                self.1.dealloc(block, layout)
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`, and the caller promises a size that makes a layout. Where a block changes from one part to
        // the other, both blocks are in use, so they do not overlap, and both are as long as what is copied.
        unsafe {
            match (layout.size() < LARGE, size < LARGE) {
                (true, true) => self.0.realloc(block, layout, size),
                (false, false) => self.1.realloc(block, layout, size),
                _ => {
                    let other = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                    if !other.is_null() {
                        ptr::copy_nonoverlapping(block, other, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    other
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        alloc::{System, handle_alloc_error},
        collections::HashMap,
        slice,
        sync::{Mutex, mpsc},
        thread,
    };

    use dlmalloc::GlobalDlmalloc;
    use fastrand::Rng;

    use super::*;

    /// A block that was asked for, all of it filled with one byte.
    struct Block {
        at: *mut u8,
        layout: Layout,
        byte: u8,
    }

    // SAFETY: nothing else has the address.
    unsafe impl Send for Block {}

    impl Block {
        fn new(allocator: &impl GlobalAlloc, layout: Layout, byte: u8) -> Self {
            // SAFETY: no layout here has size zero.
            let at = unsafe { allocator.alloc(layout) };
            Self::filled(at, layout, byte)
        }

        fn zeroed(allocator: &impl GlobalAlloc, layout: Layout) -> Self {
            // SAFETY: as above.
            let at = unsafe { allocator.alloc_zeroed(layout) };
            let block = Self {
                at,
                layout,
                byte: 0,
            };
            block.check(layout.size());
            block
        }

        fn filled(at: *mut u8, layout: Layout, byte: u8) -> Self {
            if at.is_null() {
                handle_alloc_error(layout);
            }
            // SAFETY: that many bytes were asked for.
            unsafe { at.write_bytes(byte, layout.size()) };
            Self { at, layout, byte }
        }

        /// Its first bytes are as they were written, and it lies where it may.
        #[track_caller]
        fn check(&self, bytes: usize) {
            assert!(!self.at.is_null());
            assert_eq!(self.at.addr() % self.layout.align(), 0, "{:?}", self.layout);
            // SAFETY: they have been written.
            let bytes = unsafe { slice::from_raw_parts(self.at, bytes) };
            assert_eq!(bytes[0], self.byte, "{:?}", self.layout);
            assert!(bytes[1..] == bytes[..bytes.len() - 1], "{:?}", self.layout);
        }

        fn resized(self, allocator: &impl GlobalAlloc, size: usize) -> Self {
            self.check(self.layout.size());
            // SAFETY: it is of this allocator and has this layout.
            let at = unsafe { allocator.realloc(self.at, self.layout, size) };
            let layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            let resized = Self { at, layout, ..self };
            resized.check(size.min(self.layout.size()));
            Self::filled(at, layout, self.byte.wrapping_add(1))
        }

        fn free(self, allocator: &impl GlobalAlloc) {
            self.check(self.layout.size());
            // SAFETY: it is of this allocator and has this layout.
            unsafe { allocator.dealloc(self.at, self.layout) };
        }
    }

    /// The system's, which knows what it has given and fails if it gets anything else back.
    #[derive(Default)]
    struct Strict(Mutex<HashMap<usize, Layout>>);

    impl Strict {
        fn given(&self, block: *mut u8, layout: Layout) -> *mut u8 {
            let before = self.0.lock().unwrap().insert(block.addr(), layout);
            assert_eq!(before, None);
            block
        }

        fn back(&self, block: *mut u8, layout: Layout) {
            let given = self.0.lock().unwrap().remove(&block.addr());
            assert_eq!(given, Some(layout));
        }
    }

    // SAFETY: it is the system's.
    unsafe impl GlobalAlloc for Strict {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as promised.
            self.given(unsafe { System.alloc(layout) }, layout)
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.back(block, layout);
            // SAFETY: as just seen.
            unsafe { System.dealloc(block, layout) };
        }
    }

    /// The sizes on both sides of the border, and some that are far from it.
    const SIZES: [usize; 8] = [
        1,
        24,
        4096,
        LARGE - 1,
        LARGE,
        LARGE + 1,
        2 * LARGE,
        10 * LARGE,
    ];
    const ALIGNS: [usize; 5] = [1, 8, 16, 64, 4096];

    /// From each size to each, by each alignment.
    #[test]
    fn a_block_keeps_its_bytes_and_goes_back_to_where_it_came_from() {
        let allocator = BySize(Strict::default(), Strict::default());
        let out = || {
            let BySize(small, large) = &allocator;
            let count = |of: &Strict| of.0.lock().unwrap().len();
            (count(small), count(large))
        };
        let of = |size: usize| if size < LARGE { (1, 0) } else { (0, 1) };
        for align in ALIGNS {
            for size in SIZES {
                let layout = Layout::from_size_align(size, align).unwrap();
                for other in SIZES {
                    let block = Block::new(&allocator, layout, 7);
                    assert_eq!(out(), of(size), "{layout:?}");
                    let block = block.resized(&allocator, other);
                    assert_eq!(out(), of(other), "{layout:?} to {other}");
                    block.free(&allocator);
                    assert_eq!(out(), (0, 0), "{layout:?} to {other}");
                }
                let block = Block::zeroed(&allocator, layout);
                assert_eq!(out(), of(size), "{layout:?}");
                block.free(&allocator);
            }
        }
    }

    /// As the static binary has it. Each thread resizes and frees blocks of the thread before it as well.
    #[test]
    fn threads_do_not_get_in_each_others_way() {
        const THREADS: u64 = 4;
        const STEPS: usize = 20_000;
        let allocator = &BySize(GlobalDlmalloc, System);
        let work = |seed: u64, next: mpsc::Sender<Block>, mine: mpsc::Receiver<Block>| {
            let mut random = Rng::with_seed(seed);
            let mut blocks: Vec<Block> = Vec::new();
            for _ in 0..STEPS {
                blocks.extend(mine.try_recv());
                let size = 1 + ((random.usize(..) % LARGE) >> random.u8(..16)) * random.usize(1..4);
                let chosen = random.usize(..=blocks.len().min(40));
                if chosen == blocks.len() {
                    let layout = Layout::from_size_align(size, *random.choice(&ALIGNS).unwrap());
                    let layout = layout.unwrap();
                    blocks.push(if random.bool() {
                        Block::zeroed(allocator, layout)
                    } else {
                        Block::new(allocator, layout, random.u8(..))
                    });
                    continue;
                }
                let block = blocks.swap_remove(chosen);
                match random.u8(..4) {
                    0 => block.free(allocator),
                    // One that has ended leaves what it has.
                    1 => _ = next.send(block).map_err(|left| left.0.free(allocator)),
                    _ => blocks.push(block.resized(allocator, size)),
                }
            }
            drop(next);
            for block in blocks.into_iter().chain(mine) {
                block.free(allocator);
            }
        };
        let (mut senders, receivers): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| mpsc::channel()).unzip();
        senders.rotate_left(1);
        thread::scope(|scope| {
            for (seed, (next, mine)) in (0..).zip(senders.into_iter().zip(receivers)) {
                scope.spawn(move || work(seed, next, mine));
            }
        });
    }
}
