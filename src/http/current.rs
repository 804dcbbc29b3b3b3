//! The service in force, which a reload replaces while connections stay.

use std::sync::{Arc, PoisonError, RwLock};

use super::routes::Service;

/// Hands out the service in force. Clones share it.
#[derive(Clone)]
pub struct Current(Arc<RwLock<Arc<Service>>>);

impl From<Service> for Current {
    fn from(service: Service) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(service))))
    }
}

impl Current {
    /// Requests that begin from now on are answered by this one. Requests under way end with the one before.
    pub fn replace(&self, service: Service) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(service);
    }

    pub(super) fn get(&self) -> Arc<Service> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
