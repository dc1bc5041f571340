package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/logfile"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/program"
)

// runLog lets all that is said go to a file, for as long as the service runs.
type runLog struct {
	*app
	file      *logfile.File // nil: what is said goes where it went before
	before    process
	out       *output.Printer // before
	stop      func()
	reopening sync.WaitGroup
}

// open begins with the file at path, if one is named. The caller must call close.
func (l *runLog) open(path string) (err error) {
	if path == "" {
		return nil
	}
	if l.file, err = logfile.Open(path, l.flags.json); err != nil {
		return err
	}
	l.before, l.out = l.process, l.app.out
	l.stderr = l.file
	if l.flags.json {
		l.stdout = l.file
	}
	if l.app.out, err = l.newPrinter(); err != nil {
		return errors.Join(err, l.file.Close())
	}
	came, stop := program.Reopens()
	l.stop = stop
	l.reopening.Go(func() {
		for range came {
			l.reopen()
		}
	})
	return nil
}

// close ends it, and tells there too how the run has ended.
func (l *runLog) close(err error) {
	if l.file == nil {
		return
	}
	l.stop()
	l.reopening.Wait()
	if err != nil && !errors.Is(err, exitcode.ErrReported) {
		l.app.out.Exit(exitCode(context.Background(), err), err)
	}
	l.process, l.app.out = l.before, l.out
	if bad := l.file.Close(); bad != nil {
		l.Warn(fmt.Sprintf("close the log: %v", bad))
	}
}

// reopen goes on in the file that is at the log's path by now.
func (l *runLog) reopen() {
	if l.file == nil {
		return
	}
	if err := l.file.Reopen(); err != nil {
		l.Warn(err.Error())
	}
}
