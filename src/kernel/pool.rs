//! Buffers that kernels use again, because clearing and mapping fresh memory for every tile shows in the profile.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Buffers by their length; what is in them is left over from earlier use.
pub type Pool<T> = OnceLock<Mutex<HashMap<usize, Vec<Vec<T>>>>>;

/// A buffer with unspecified content; [`give`] it back.
pub fn take<T: Copy + Default>(pool: &'static Pool<T>, length: usize) -> Vec<T> {
    let spare = lock(pool).get_mut(&length).and_then(Vec::pop);
    spare.unwrap_or_else(|| vec![T::default(); length])
}

/// Returns a buffer for later use.
pub fn give<T>(pool: &'static Pool<T>, buffer: Vec<T>) {
    if !buffer.is_empty() {
        lock(pool).entry(buffer.len()).or_default().push(buffer);
    }
}

/// Buffers of a length that nobody uses at the moment.
#[cfg(test)]
pub fn spare<T>(pool: &'static Pool<T>, length: usize) -> usize {
    lock(pool).get(&length).map_or(0, Vec::len)
}

fn lock<T>(pool: &'static Pool<T>) -> std::sync::MutexGuard<'static, HashMap<usize, Vec<Vec<T>>>> {
    // The map is valid after a panic elsewhere: it only holds spare buffers.
    pool.get_or_init(Default::default).lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_for_its_length_only() {
        static POOL: Pool<f32> = Pool::new();
        give(&POOL, vec![7.0; 3]);
        assert_eq!(take(&POOL, 4), [0.0; 4]);
        assert_eq!(take(&POOL, 3), [7.0; 3]);
        assert_eq!(take(&POOL, 3), [0.0; 3]);
    }
}
