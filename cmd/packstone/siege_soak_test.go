//go:build soak

package main

// siegeRounds is how many rounds a siege has.
var siegeRounds = max(4, 200/soakStride)
