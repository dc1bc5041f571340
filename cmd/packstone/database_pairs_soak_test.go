//go:build soak

package main

// pairRounds is how many exports are taken while pairs are written.
const pairRounds = 20
