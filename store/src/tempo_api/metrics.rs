//! Placeholder.
use axum::response::Response;use super::error::ApiError;
pub async fn query() -> Result<Response, ApiError> { Err(ApiError::bad_request("x")) }
pub async fn query_range() -> Result<Response, ApiError> { Err(ApiError::bad_request("x")) }
