//! What allocations take, and vectors that are many and long-lived: they grow by an eighth, so that little of them is
//! unused, and shrink when half of them is.

use std::collections::VecDeque;

/// Bytes that an allocation of this many bytes takes on a common 64-bit allocator: with its header, and rounded up.
/// Nothing is allocated for nothing.
pub(super) const fn heap_bytes(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let rounded = (bytes + 8).next_multiple_of(16);
    if rounded < 32 { 32 } else { rounded }
}

/// Bytes that the allocation of a vector takes.
pub(super) const fn vec_bytes<T>(list: &Vec<T>) -> usize {
    heap_bytes(list.capacity() * size_of::<T>())
}

/// Bytes that the allocation of a queue takes.
pub(super) fn queue_bytes<T>(queue: &VecDeque<T>) -> usize {
    heap_bytes(queue.capacity() * size_of::<T>())
}

/// How many items there is room for after growing or shrinking: an eighth more than are needed, and what fits into the
/// smallest allocation.
fn target<T>(len: usize) -> usize {
    let (unit, smallest) = (16 / size_of::<T>(), 24 / size_of::<T>());
    (len + (len / 8).max(unit).max(1)).max(smallest)
}

/// Makes room for one more item.
#[inline]
pub(super) fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(target::<T>(list.len()) - list.len());
    }
}

/// The same for a queue.
#[inline]
pub(super) fn grow_queue<T>(queue: &mut VecDeque<T>) {
    if queue.len() == queue.capacity() {
        queue.reserve_exact(target::<T>(queue.len()) - queue.len());
    }
}

/// Frees what is unused of a vector, if that is half of it. So a removal stays cheap on average.
#[inline]
pub(super) fn shrink<T>(list: &mut Vec<T>) {
    let len = list.len();
    if len == 0 {
        *list = Vec::new();
    } else if list.capacity() > 2 * len {
        list.shrink_to(target::<T>(len));
    }
}

/// The same for a queue.
#[inline]
pub(super) fn shrink_queue<T>(queue: &mut VecDeque<T>) {
    let len = queue.len();
    if len == 0 {
        *queue = VecDeque::new();
    } else if queue.capacity() > 2 * len {
        queue.shrink_to(target::<T>(len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_that_grows_has_an_eighth_unused_and_one_that_shrinks_a_half() {
        let mut list: Vec<u32> = Vec::new();
        for number in 0..10_000 {
            grow(&mut list);
            list.push(number);
            assert!(list.capacity() <= list.len() + list.len() / 8 + 6);
        }
        while list.pop().is_some() {
            shrink(&mut list);
            assert!(
                list.capacity() <= (2 * list.len()).max(list.len() + 4).max(6),
                "{} for {}",
                list.capacity(),
                list.len()
            );
        }
        assert_eq!(list.capacity(), 0);
    }

    #[test]
    fn a_small_allocation_takes_32_bytes() {
        assert_eq!([0, 1, 24, 25, 40, 41].map(heap_bytes), [0, 32, 32, 48, 48, 64]);
    }
}
