package files

import (
	"context"
	"os"
	"time"

	"github.com/packstone/packstone/pipeline/local"
)

// remoteReaders is how many files, and how many directories, are read at once where a server or a
// process answers for a root's file system: each call waits for a millisecond or more, and
// processors have nothing to do meanwhile.
const remoteReaders = 16

// Readers implements source.Distant: none beyond the processors where all roots are on disks of
// this machine.
func (s *Source) Readers() int {
	if s.rootsAreFar() {
		return remoteReaders
	}
	return 0
}

// askRoots is how long a root may take to tell what it is on: one that does not answer is on a
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
