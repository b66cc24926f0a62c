//! Work in parallel: a slice in parts, and each processor takes the next part when it is done with one.
//!
//! The engine does not know how processors are started or wake up: it hands a job to [`Workers`] and
//! gets every chunk of a slice worked on by exactly one of them. Which one it is makes no difference
//! to the result, so any number of workers gives the same integers.
//!
//! Nobody is told which part is his. So a worker that does not come (an emulator's, on a host that is busy with
//! something else) leaves its work to the others, and one that comes late or is slow does less of it. Only a part that
//! somebody has begun is waited for: nobody else calculates it again, as the one who is late would still read what
//! the next job writes.
use crate::simd::Simd;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Parts that a slice is cut into, where it has as many chunks: small, so that little is waited for at the end.
const PARTS: usize = 16;

/// Workers that do a job together.
///
/// # Safety
/// [`Workers::run`] must return only when all calls of the job have; what they wrote is then visible to the caller.
pub unsafe trait Workers {
    /// How many workers there are, the caller included.
    fn size(&self) -> usize;
    /// Calls `job` here, and on each of the others that comes before this call of it has returned.
    fn run(&self, job: &(dyn Fn() + Sync));
}

/// The caller alone.
pub struct OneWorker;

// SAFETY: one call, on the caller's own stack.
unsafe impl Workers for OneWorker {
    fn size(&self) -> usize {
        1
    }

    fn run(&self, job: &(dyn Fn() + Sync)) {
        job();
    }
}

/// Who multiplies, and how.
#[derive(Clone, Copy)]
pub struct Processors<'t> {
    /// What all of them can.
    pub simd: Simd,
    /// The workers.
    pub workers: &'t dyn Workers,
}

impl Processors<'static> {
    /// One processor.
    pub const fn one(simd: Simd) -> Self {
        Self { simd, workers: &OneWorker }
    }
}

/// The address of a slice that workers take disjoint parts of.
struct Shared<T>(*mut T);

// SAFETY: the pointer is only used for parts that no two workers share, and `T` may be sent.
unsafe impl<T: Send> Sync for Shared<T> {}

impl Processors<'_> {
    /// Works on items in parallel, in chunks of `size` (the last one may be shorter): `work(first, items)` gets
    /// some neighbouring chunks, at least `least` of them where there are as many, and the number of the first.
    pub fn parallel_chunks<T: Send>(
        &self,
        items: &mut [T],
        size: usize,
        least: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let (length, all) = (items.len(), Shared(items.as_mut_ptr()));
        self.in_parts(length.div_ceil(size), least, &|first, end| {
            let all = &all; // all of it, not the bare pointer
            let (start, stop) = ((first * size).min(length), (end * size).min(length));
            // SAFETY: start ≤ stop ≤ length; the parts do not overlap, and each is worked on once. The slice
            // is borrowed until `in_parts` returns, which is after the last call.
            work(first, unsafe { core::slice::from_raw_parts_mut(all.0.add(start), stop - start) });
        });
    }

    /// Calls `work(first, end)` for parts of 0 to `count` that do not overlap, as they are taken.
    fn in_parts(&self, count: usize, least: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        let (parts, next) = ((count / least).min(PARTS), AtomicUsize::new(0));
        if self.workers.size() == 1 || parts < 2 {
            return work(0, count);
        }
        self.workers.run(&|| {
            loop {
                // Each number is given once; what is written is seen when `run` returns, not by this.
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= parts {
                    return;
                }
                work(count * part / parts, count * (part + 1) / parts);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::processors::Threads;
    use alloc::vec;

    #[test]
    fn every_part_is_worked_on_once() {
        for (workers, length, size) in
            [(1, 10, 3), (2, 10, 3), (3, 1, 16), (4, 64, 16), (5, 7, 1), (2, 0, 4), (3, 1000, 7)]
        {
            let processors = Processors { simd: Simd::Scalar, workers: &Threads(workers) };
            let mut items = vec![0usize; length];
            processors.parallel_chunks(&mut items, size, 1, |first, items| {
                for (offset, item) in items.iter_mut().enumerate() {
                    *item += first * size + offset + 1;
                }
            });
            assert!(items.iter().copied().eq(1..=length), "{workers} workers: {items:?}");
        }
    }
}
