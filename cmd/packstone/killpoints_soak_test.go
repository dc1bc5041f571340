//go:build soak

package main

// killStride is which share of the states that a kill can leave is tried: all.
const killStride = 1
