//! What a backfill has read so far, in the bucket.

use super::bucket::Condition;
use super::{S3, S3Error};
use crate::store::layout::draft_path;

impl S3 {
    /// What a backfill has left of a project, if there is anything.
    pub async fn draft(&self, project_id: u64) -> Result<Option<Vec<u8>>, S3Error> {
        let object = self.bucket.get(&draft_path(project_id)).await?;
        Ok(object.map(|object| object.body.to_vec()))
    }

    /// Keeps what a backfill has read of a project so far. Of two backfills at a time the last to write
    /// wins: what is done comes out the same.
    pub async fn save_draft(&self, project_id: u64, text: Vec<u8>) -> Result<(), S3Error> {
        let name = draft_path(project_id);
        self.bucket.put(&name, text, Condition::None).await?;
        Ok(())
    }

    /// Removes what a backfill has left of a project.
    pub async fn remove_draft(&self, project_id: u64) -> Result<(), S3Error> {
        self.bucket.delete(&draft_path(project_id), None).await
    }
}
