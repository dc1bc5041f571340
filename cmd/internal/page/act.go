package page

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"

	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/room"
)

// Act is what somebody has done on the page, for the log.
type Act struct {
	By   string // who, and from where
	What string // such as: starts backup platform
}

// act is something that a person does: by a form of the page, and under the same name below
// /api/v1.
type act struct {
	name  string
	takes []string // the parameters, beside that which names the repository
	do    func(*visit) (done, error)
}

// done is how an act went.
type done struct {
	Done string `json:"done"` // what was done
	next string // the page that shows what comes of it
}

// acts are all of them. They are described in static/openapi.json.
var acts = []act{
	{"restore", []string{"id", "source", "path"}, (*visit).startRestore},
	{"restore/stop", nil, (*visit).stopRestore},
	{"restore/remove", []string{"place"}, (*visit).removeRestored},
	{"jobs/start", []string{"job"}, (*visit).startJob},
	{"jobs/stop", []string{"job"}, (*visit).stopJob},
	{"storage/measure", nil, (*visit).startMeasure},
}

func (p *Page) actRoutes() {
	for _, a := range acts {
		p.mux.HandleFunc("POST /"+a.name, p.admitted(func(v *visit) error { return v.act(a) }))
		p.mux.HandleFunc("POST "+apiPrefix+a.name, p.admitted(func(v *visit) error { return v.act(a) }))
	}
}

// The refusals of acts.
var (
	errElsewhere = errors.New("this request does not say that it comes from this page: send it with the token (Authorization: Bearer), or with the page's address in the header Origin")
	errNobody    = errors.New("starting and stopping jobs is for those who have shown who they are: set serve.token_file, or serve.identity_header behind a proxy")
	errNoJobs    = errors.New("no jobs run here")
)

// act does what a person asks for, and answers what was done.
func (v *visit) act(a act) error {
	if !v.guard.fromHere(v.r) {
		return errElsewhere
	}
	d, err := a.do(v)
	if err != nil {
		return err
	}
	if v.Say != nil {
		v.Say(Act{By: v.by(), What: d.Done})
	}
	if !v.isAPI() {
		v.redirect(d.next)
		return nil
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(http.StatusAccepted)
	return json.NewEncoder(v.w).Encode(d)
}

// statusOf is the status with which an act is refused; 0: it is no refusal of an act.
func statusOf(err error) int {
	for _, refusal := range []struct {
		is   error
		code int
	}{
		{errElsewhere, http.StatusForbidden}, {errNobody, http.StatusForbidden}, {errNoJobs, http.StatusNotFound},
		{errNoScratch, http.StatusConflict}, {errRestoring, http.StatusConflict}, {errNoRestore, http.StatusConflict}, {errClosed, http.StatusServiceUnavailable},
		{room.ErrNone, http.StatusNotFound}, {daemon.ErrNoJob, http.StatusNotFound},
		{daemon.ErrAtWork, http.StatusConflict}, {daemon.ErrWaits, http.StatusConflict}, {daemon.ErrNotAtWork, http.StatusConflict}, {daemon.ErrStopping, http.StatusConflict},
	} {
		if errors.Is(err, refusal.is) {
			return refusal.code
		}
	}
	return 0
}

// fromHere reports whether a request comes from this page, or from a program that has the token.
// What other sites have a browser send has neither the token in a header nor our origin.
func (g Guard) fromHere(r *http.Request) bool {
	if g.Token != "" && g.bears(r) {
		return true
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && origin.Host == r.Host
}

// by says who makes a request, as far as is known, and from where.
func (v *visit) by() string {
	name := "somebody on this machine"
	switch v.who.shown {
	case byHeader:
		name = output.Name(v.who.name).String() + " (" + v.guard.Header + ")"
	case byToken:
		name = "a holder of the token"
	case bySocket:
		return "somebody at the socket"
	}
	if host, _, err := net.SplitHostPort(v.r.RemoteAddr); err == nil {
		name += " from " + host
	}
	return name
}
