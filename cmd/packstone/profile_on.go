//go:build profile

package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

// startProfile writes profiles to the files that PACKSTONE_CPU_PROFILE and PACKSTONE_HEAP_PROFILE name. The heap is that of the end, with all
// that was allocated.
func startProfile() (stop func()) {
	cpu, heap := os.Getenv("PACKSTONE_CPU_PROFILE"), os.Getenv("PACKSTONE_HEAP_PROFILE")
	if cpu != "" {
		file, err := os.Create(cpu)
		if err == nil {
			err = pprof.StartCPUProfile(file)
		}
		if err != nil {
			panic(err)
		}
	}
	return func() {
		pprof.StopCPUProfile()
		if heap == "" {
			return
		}
		file, err := os.Create(heap)
		if err == nil {
			runtime.GC()
			err = pprof.Lookup("allocs").WriteTo(file, 0)
		}
		if err != nil {
			panic(err)
		}
	}
}
