// A module of its own, so that what packstone is compared with is no dependency of packstone, and
// packstone's dependencies do not change the versions of the tools.
module github.com/packstone/packstone/tools/chunkerbench

go 1.26.0

replace github.com/packstone/packstone => ../../

require (
	github.com/PlakarKorp/go-cdc-chunkers v1.1.0
	github.com/packstone/packstone v0.0.0-00010101000000-000000000000
	github.com/restic/chunker v0.4.0
)

require (
	github.com/klauspost/cpuid/v2 v2.4.0 // indirect
	github.com/zeebo/blake3 v0.2.4 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
