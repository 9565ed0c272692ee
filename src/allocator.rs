//! Memory of the program: mimalloc, and an end in words where there is no more, instead of an abort.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;

/// [`MiMalloc`], which ends the program with status 1 where it has no more memory to give.
pub struct OrEnd;

// SAFETY: every call is passed on as it is, and what comes back is given back as it is; a null pointer, after which the contract
// leaves the caller nothing but an abort, is never given back.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this function, which is the same.
        or_end(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        or_end(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        or_end(unsafe { MiMalloc.realloc(pointer, layout, size) }, size)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

fn or_end(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() {
        // Nothing here may need memory. Whatever else the program would do at its end might.
        let _ = writeln!(
            std::io::stderr(),
            "error: memory: the system does not give {bytes} bytes more\n\nhint: end other programs or raise the limit on memory \
             (ulimit -v, the batch system's), or let it take less at once with train.batch.micro_batch and --threads; the same \
             command then goes on from what is on the disk"
        );
        signal_hook::low_level::exit(1);
    }
    pointer
}
