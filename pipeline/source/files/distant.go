package files

import (
	"context"
	"os"
	"time"

	"github.com/packstone/packstone/pipeline/local"
)

// remoteReaders is how many files, and how many directories, are read at once if a server or a
// process serves a root's file system: each call takes a millisecond or more, while processors are
// idle.
const remoteReaders = 16

// Readers implements source.Distant. It returns 0 if all roots are on disks of this machine.
func (s *Source) Readers() int {
	if s.rootsAreFar() {
		return remoteReaders
	}
	return 0
}

// askRoots is how long to wait for a root's file system. A root that does not answer is on a
// server.
const askRoots = 2 * time.Second

func (s *Source) rootsAreFar() bool {
	s.asked.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askRoots)
		defer cancel()
		for _, root := range s.options.Roots {
			remote := false
			err := wait(ctx, func() error {
				dir, err := os.Open(root)
				if err != nil {
					return nil // the walk says so
				}
				defer dir.Close()
				system, err := local.SystemOf(int(dir.Fd()))
				remote = err == nil && system.Remote
				return nil
			})
			if err != nil || remote {
				s.far = true
				return
			}
		}
	})
	return s.far
}
