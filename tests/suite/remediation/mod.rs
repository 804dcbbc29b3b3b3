//! Failed jobs come back: rules, guards and requests, on a simulated GitLab over real HTTP.

mod alertmanager;
mod api;
mod brakes;
mod busy;
mod commands;
mod deployments;
mod evidence;
mod form;
mod kinds;
mod order;
mod page;
mod pipeline_form;
mod refusals;
mod replicas;
mod rules;
mod stage;
mod terminal;
mod unclear;
