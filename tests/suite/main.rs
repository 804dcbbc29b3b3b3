//! Everything that is tested through the public interface, as one binary.

mod gitlab_adapter;
