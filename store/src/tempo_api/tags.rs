//! Placeholder.
use axum::response::Response;use super::error::ApiError;
pub async fn names_v1() -> Result<Response, ApiError> { Err(ApiError::bad_request("x")) }
pub async fn names_v2() -> Result<Response, ApiError> { Err(ApiError::bad_request("x")) }
pub async fn values_v1() -> Result<Response, ApiError> { Err(ApiError::bad_request("x")) }
pub async fn values_v2() -> Result<Response, ApiError> { Err(ApiError::bad_request("x")) }
