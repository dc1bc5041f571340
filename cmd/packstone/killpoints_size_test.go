//go:build !soak

package main

// killStride is which share of the states that a kill can leave is tried.
const killStride = 12

// traceStride is of which verbs one is run under the tracer.
const traceStride = 9
