//go:build soak

package main

// siegeRounds is how many rounds a siege has.
const siegeRounds = 200
