//go:build soak

package main

// killStride is which share of the states that a kill can leave is tried: all.
const killStride = 1

// traceStride is of which verbs one is run under the tracer: each.
const traceStride = 1
