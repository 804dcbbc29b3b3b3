//! Failed jobs come back: rules, guards and requests, on a simulated GitLab over real HTTP.

mod rules;
mod stage;
