//! What everything here shares.

use std::net::SocketAddr;

use coditect_core::Result;
use tokio::sync::Notify;

use crate::{
    access::Door,
    activity::Activity,
    config::Config,
    entry::Attempts,
    platform::Platform,
    site::Site,
    socket::hub::Hub,
    volume::{Following, Volume},
};

/// The gateway.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) site: Site,
    pub(crate) door: std::sync::Arc<Door>,
    pub(crate) platform: std::sync::Arc<Platform>,
    /// Where the IDE listens.
    pub(crate) ide: SocketAddr,
    pub(crate) activity: Activity,
    pub(crate) attempts: Attempts,
    pub(crate) hub: Hub,
    pub(crate) volume: Volume,
    /// Something that the API should know at once.
    pub(crate) news: Notify,
}

impl App {
    /// The gateway, and what follows its volume.
    ///
    /// # Errors
    /// `Invalid` if the configuration cannot work.
    pub(crate) fn new(config: &Config) -> Result<(Self, Following)> {
        let (volume, following) = Volume::new(config)?;
        let app = Self {
            site: config.site()?,
            door: Door::new(config.workspace).into(),
            platform: Platform::new(config)?.into(),
            ide: config.ide,
            activity: Activity::default(),
            attempts: Attempts::new(),
            hub: Hub::default(),
            volume,
            news: Notify::new(),
        };
        Ok((app, following))
    }
}
