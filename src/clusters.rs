//! Which cluster is whose cell.

use std::{path::PathBuf, str::FromStr};

use clap::Args;
use coditect_core::{CellName, Error, Result};

/// The clusters of the cells.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Clusters {
    /// The cluster of a cell, as a kubeconfig; without one: `$KUBECONFIG`, or the cluster this runs in, for the
    /// policy's only cell.
    #[arg(long, value_name = "CELL=KUBECONFIG")]
    pub(crate) cluster: Vec<Cluster>,
}

/// One `CELL=KUBECONFIG`.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// The cell.
    pub(crate) cell: CellName,
    /// The file that says how its cluster is reached.
    pub(crate) kubeconfig: PathBuf,
}

impl FromStr for Cluster {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (cell, kubeconfig) = text
            .split_once('=')
            .filter(|(_, path)| !path.is_empty())
            .ok_or_else(|| Error::invalid("--cluster", "is not CELL=KUBECONFIG"))?;
        Ok(Self {
            cell: cell.parse()?,
            kubeconfig: kubeconfig.into(),
        })
    }
}

impl Clusters {
    /// The cells to work on: those named, or the policy's only one.
    ///
    /// # Errors
    /// `Invalid` if none is named and the policy has not exactly one, if one is named twice, or one that is in
    /// no policy.
    pub(crate) fn cells(
        &self,
        policy: impl IntoIterator<Item = CellName>,
    ) -> Result<Vec<CellName>> {
        let policy: Vec<CellName> = policy.into_iter().collect();
        let mut cells: Vec<CellName> = self.cluster.iter().map(|one| one.cell.clone()).collect();
        if cells.is_empty() {
            return match policy.as_slice() {
                [only] => Ok(vec![only.clone()]),
                _ => Err(Error::invalid(
                    "--cluster",
                    "must be given for each cell, as the policy has not exactly one",
                )),
            };
        }
        if let Some(unknown) = cells.iter().find(|cell| !policy.contains(cell)) {
            return Err(Error::invalid(
                "--cluster",
                format!("names {unknown}, which is no cell of the policy"),
            ));
        }
        let named = cells.len();
        cells.sort();
        cells.dedup();
        if cells.len() < named {
            return Err(Error::invalid("--cluster", "names a cell twice"));
        }
        Ok(cells)
    }

    /// A client of the cell's cluster.
    ///
    /// # Errors
    /// What [`coditect_observer::client()`] says.
    pub(crate) async fn client(&self, cell: &CellName) -> Result<coditect_observer::Client> {
        let named = self.cluster.iter().find(|one| one.cell == *cell);
        coditect_observer::client(named.map(|one| one.kubeconfig.as_path())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(named: &[&str]) -> Clusters {
        Clusters {
            cluster: named.iter().map(|one| one.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn each_cell_is_named_once_or_is_the_only_one() {
        let cell = |name: &str| name.parse::<CellName>().unwrap();
        let both = [cell("north"), cell("south")];
        assert_eq!(
            clusters(&[]).cells([cell("north")]).unwrap(),
            [cell("north")]
        );
        assert!(clusters(&[]).cells(both.clone()).is_err());
        assert_eq!(
            clusters(&["south=/a=b"]).cells(both.clone()).unwrap(),
            [cell("south")]
        );
        assert!(
            clusters(&["south=/a", "south=/b"])
                .cells(both.clone())
                .is_err()
        );
        assert!(clusters(&["west=/a"]).cells(both).is_err());
        assert!("south=".parse::<Cluster>().is_err());
    }
}
