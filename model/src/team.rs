//! Work shared out among processors.
//!
//! The engine does not know how processors are started or wake up: it hands a job to a [`Team`] and
//! gets every part of a slice worked on by exactly one worker. Which one it is makes no difference
//! to the result, so every team gives the same integers.
use crate::matmul::Kernel;

/// Workers that do a job together.
///
/// # Safety
/// [`Team::run`] must call the job at most once with each number, and return only when all calls
/// have; what they wrote is then visible to the caller.
pub unsafe trait Team {
    /// How many workers there are, the caller included.
    fn size(&self) -> usize;
    /// Calls `job(0)` to `job(size - 1)`, each on a worker of its own.
    fn run(&self, job: &(dyn Fn(usize) + Sync));
}

/// The caller alone.
pub struct Alone;

// SAFETY: one call, on the caller's own stack.
unsafe impl Team for Alone {
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
    pub kernel: Kernel,
    /// The workers.
    pub team: &'t dyn Team,
}

impl Processors<'static> {
    /// One processor.
    pub const fn one(kernel: Kernel) -> Self {
        Self { kernel, team: &Alone }
    }
}

/// The address of a slice that workers take disjoint parts of.
struct Shared<T>(*mut T);

// SAFETY: the pointer is only used for parts that no two workers share, and `T` may be sent.
unsafe impl<T: Send> Sync for Shared<T> {}

impl Processors<'_> {
    /// Shares out items in parts of `size` (the last one may be shorter): each worker gets one
    /// `work(first, items)`, its neighbouring parts and the number of the first of them.
    pub fn share_out<T: Send>(&self, items: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        let workers = self.team.size();
        if workers == 1 {
            return work(0, items);
        }
        let (length, count) = (items.len(), items.len().div_ceil(size));
        let all = Shared(items.as_mut_ptr());
        self.team.run(&|worker| {
            let all = &all; // all of it, not the bare pointer
            let [first, end] = [worker, worker + 1].map(|worker| count * worker / workers);
            let [start, stop] = [first, end].map(|part| (part * size).min(length));
            // SAFETY: start ≤ stop ≤ length; the workers' ranges do not overlap, and a team calls each
            // worker once. The slice is borrowed until `run` returns, which is after the last call.
            work(first, unsafe { core::slice::from_raw_parts_mut(all.0.add(start), stop - start) });
        });
    }
}

/// Threads of the host, for tests and for measuring.
#[cfg(feature = "std")]
pub struct Threads(pub usize);

#[cfg(feature = "std")]
// SAFETY: a scope starts each call once and ends when all have; ending a thread synchronizes.
unsafe impl Team for Threads {
    fn size(&self) -> usize {
        self.0
    }

    fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for worker in 1..self.0 {
                scope.spawn(move || job(worker));
            }
            job(0);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn every_part_is_worked_on_once() {
        for (workers, length, size) in [(1, 10, 3), (2, 10, 3), (3, 1, 16), (4, 64, 16), (5, 7, 1), (2, 0, 4)]
        {
            let processors = Processors { kernel: Kernel::Scalar, team: &Threads(workers) };
            let mut items = vec![0usize; length];
            processors.share_out(&mut items, size, |first, items| {
                for (offset, item) in items.iter_mut().enumerate() {
                    *item += first * size + offset + 1;
                }
            });
            assert!(items.iter().copied().eq(1..=length), "{workers} workers: {items:?}");
        }
    }
}
