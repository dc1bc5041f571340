package service

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// coming is how many jobs List prints.
const coming = 10

// List prints what is due next. It needs no history of its own.
func (s *Service) List() error {
	past := map[string]schedule.Past{}
	f, err := history.Read(s.Machine.HistoryPath(s.path))
	if err == nil && f != nil {
		past, err = f.Past()
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.warn(fmt.Sprintf("%v: all jobs count as never run", err))
	}
	rows, table := message.ComingJobs(schedule.Coming(daemon.Timings(s.jobs), past, time.Now().Round(0), coming))
	return output.List(s.Out, rows, table)
}

// warn tells a person what to do something about.
func (s *Service) warn(text string) { s.Out.Warn(output.Warning{Message: text}) }

// say tells a person what the service does.
func (s *Service) say(format string, args ...any) {
	s.note(time.Now(), "packstone run "+fmt.Sprintf(format, args...))
}

// note tells something with the time before it, unless each line gets one anyway.
func (s *Service) note(at time.Time, text string) { s.Out.Note("%s%s", s.stamp(at), text) }

func (s *Service) stamp(at time.Time) string {
	if s.Timed {
		return ""
	}
	return output.Time(at) + " "
}

func (s *Service) started(j daemon.Job, why schedule.Why) {
	s.running = s.settings
	if j.Kind == daemon.Backup {
		s.ping(j.Set, notice.Start, "")
	}
	if now := time.Now(); s.Out.JSON() {
		s.Out.Message("job_started", message.Job{Job: j.Name, Why: why, Began: now}, "")
	} else {
		s.note(now, fmt.Sprintf("%s: begins (%s)", j.Name, why))
	}
}

func (s *Service) ended(run *history.Run) {
	if phase, tail, waited := pingOf(run); waited {
		s.ping(run.Name, phase, tail)
	}
	switch text := message.JobText(run); {
	case s.Out.JSON():
		s.Out.Message("job_ended", message.JobOf(run), "")
	case run.Outcome == health.Done:
		s.note(run.End(), text)
	default:
		s.Out.Problem("", "run", errors.New(strings.TrimSpace(s.stamp(run.End())+text)))
	}
}

// pingOf is what who waits for pings is told of the end of a run. An interruption is no end: the run
// is done again.
func pingOf(run *history.Run) (phase notice.Phase, tail string, waited bool) {
	switch {
	case run.Kind != daemon.Backup || run.Outcome == health.Interrupted:
		return "", "", false
	case run.Outcome == health.Done:
		return notice.Success, run.Log, true
	}
	return notice.Failure, strings.TrimSpace(run.Log + "\n" + run.Cause), true
}

// ping tells who waits for pings that the backup of a set begins or has ended.
func (s *Service) ping(set string, phase notice.Phase, tail string) {
	s.teller.Ping(s.Sender(s.settings), set, phase, tail)
}

// sayer tells the log what people do on the page, from any goroutine.
func (s *Service) sayer() func(page.Act) {
	out := s.Out
	return func(act page.Act) {
		now := time.Now()
		if out.JSON() {
			out.Message("page_act", message.PageAct{Time: now, By: output.Name(act.By), Act: output.Name(act.What)}, "")
			return
		}
		out.Note("%spage: %s %s", s.stamp(now), act.By, act.What)
	}
}
