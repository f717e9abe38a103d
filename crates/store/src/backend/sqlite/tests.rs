//! What only the inside can provoke: a full disk, a failed sync.
