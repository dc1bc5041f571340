package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/packstone/packstone/cmd/internal/logfile"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/program"
)

// openLog lets all that is said from now on go to a file, if one is named, until the returned
// function is called with how the run ended: that is told there too.
func (s *service) openLog(path string) (done func(error), err error) {
	if path == "" {
		return func(error) {}, nil
	}
	if s.log, err = logfile.Open(path, s.flags.json); err != nil {
		return nil, err
	}
	before, out := s.process, s.out
	s.stderr = s.log
	if s.flags.json {
		s.stdout = s.log
	}
	if s.out, err = s.newPrinter(); err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	came, stop := program.Reopens()
	var reopening sync.WaitGroup
	reopening.Go(func() {
		for range came {
			s.reopenLog()
		}
	})
	return func(err error) {
		stop()
		reopening.Wait()
		if err != nil && !errors.Is(err, errReported) {
			s.out.Exit(exitCode(context.Background(), err), err)
		}
		s.process, s.out = before, out
		if bad := s.log.Close(); bad != nil {
			s.Warn(fmt.Sprintf("close the log: %v", bad))
		}
	}, nil
}

// reopenLog goes on in the file that is at the log's path by now.
func (s *service) reopenLog() {
	if s.log == nil {
		return
	}
	if err := s.log.Reopen(); err != nil {
		s.Warn(err.Error())
	}
}

// stamp is a time before a line, "" where lines get one anyway.
func (s *service) stamp(at time.Time) string {
	if s.log != nil || s.toJournal() {
		return ""
	}
	return output.Time(at) + " "
}
