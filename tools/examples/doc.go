// Package examples holds that the examples for containers are what the Compose specification and
// Kustomize take them for. packstone's own tests hold what is in them.
package examples
