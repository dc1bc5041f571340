//go:build soak

package main

// killStride is which share of the states that a kill can leave is tried: all.
var killStride = soakStride

// traceStride is of which verbs one is run under the tracer: each.
const traceStride = 1
