//go:build !soak

package pipeline_test

// stride is how many calls lie between two faults: the soak test takes every call.
const stride = 3
