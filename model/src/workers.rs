//! Work in parallel, a part of a slice for each processor.
//!
//! The engine does not know how processors are started or wake up: it hands a job to [`Workers`] and
//! gets every chunk of a slice worked on by exactly one of them. Which one it is makes no difference
//! to the result, so any number of workers gives the same integers.
use crate::simd::Simd;

/// Workers that do a job together.
///
/// # Safety
/// [`Workers::run`] must call the job at most once with each number, and return only when all calls
/// have; what they wrote is then visible to the caller.
pub unsafe trait Workers {
    /// How many workers there are, the caller included.
    fn size(&self) -> usize;
    /// Calls `job(0)` to `job(size - 1)`, each on a worker of its own.
    fn run(&self, job: &(dyn Fn(usize) + Sync));
}

/// The caller alone.
pub struct OneWorker;

// SAFETY: one call, on the caller's own stack.
unsafe impl Workers for OneWorker {
    fn size(&self) -> usize {
        1
    }

    fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        job(0);
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
    /// Works on items in parallel, in chunks of `size` (the last one may be shorter): each worker gets one
    /// `work(first, items)`, its neighbouring parts and the number of the first of them.
    pub fn parallel_chunks<T: Send>(
        &self,
        items: &mut [T],
        size: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let (length, all) = (items.len(), Shared(items.as_mut_ptr()));
        self.in_parts(length.div_ceil(size), &|first, end| {
            let all = &all; // all of it, not the bare pointer
            let (start, stop) = ((first * size).min(length), (end * size).min(length));
            // SAFETY: start ≤ stop ≤ length; the parts do not overlap, and each is worked on once. The slice
            // is borrowed until `in_parts` returns, which is after the last call.
            work(first, unsafe { core::slice::from_raw_parts_mut(all.0.add(start), stop - start) });
        });
    }

    /// Calls `work(first, end)` for parts of 0 to `count` that do not overlap, one for each worker.
    fn in_parts(&self, count: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        let workers = self.workers.size();
        if workers == 1 {
            return work(0, count);
        }
        self.workers.run(&|worker| work(count * worker / workers, count * (worker + 1) / workers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::processors::Threads;
    use alloc::vec;

    #[test]
    fn every_part_is_worked_on_once() {
        for (workers, length, size) in [(1, 10, 3), (2, 10, 3), (3, 1, 16), (4, 64, 16), (5, 7, 1), (2, 0, 4)]
        {
            let processors = Processors { simd: Simd::Scalar, workers: &Threads(workers) };
            let mut items = vec![0usize; length];
            processors.parallel_chunks(&mut items, size, |first, items| {
                for (offset, item) in items.iter_mut().enumerate() {
                    *item += first * size + offset + 1;
                }
            });
            assert!(items.iter().copied().eq(1..=length), "{workers} workers: {items:?}");
        }
    }
}
