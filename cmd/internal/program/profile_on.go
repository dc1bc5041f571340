//go:build profile

package program

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// StartProfile writes profiles to the files in PACKSTONE_CPU_PROFILE and PACKSTONE_HEAP_PROFILE.
// The heap profile is taken when the heap is largest.
func StartProfile() (stop func()) {
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
	ctx, cancel := context.WithCancel(context.Background())
	if heap != "" {
		go watchHeap(ctx, heap)
	}
	return func() {
		cancel()
		pprof.StopCPUProfile()
	}
}

// watchHeap checks the heap several times a second.
func watchHeap(ctx context.Context, name string) {
	runtime.MemProfileRate = 64 << 10
	most := uint64(0)
	for ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		if stats.HeapInuse < most+most/50 {
			continue
		}
		most = stats.HeapInuse
		file, err := os.Create(name)
		if err == nil {
			err = errors.Join(pprof.Lookup("heap").WriteTo(file, 0), file.Close())
		}
		if err != nil {
			panic(err)
		}
	}
}
