package page

import (
	"errors"
	"net/http"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// form is a form with what was wrong about it.
type form struct {
	Next  string
	Wrong string
}

func (v *visit) loginForm() error {
	return v.render(http.StatusOK, "login", "Log in", form{Next: v.r.FormValue("next")})
}

// wrongToken is how long a wrong token takes to be refused.
const wrongToken = 300 * time.Millisecond

func (v *visit) login() error {
	if !v.guard.isToken(v.r.PostFormValue("token")) {
		time.Sleep(wrongToken)
		return v.render(http.StatusUnauthorized, "login", "Log in", form{v.r.FormValue("next"), "That is not the token."})
	}
	v.sessions.change(v.w, v.r, func(s *session) { s.loggedIn, s.of = true, "token" })
	v.back()
	return nil
}

func (v *visit) logout() error {
	v.sessions.end(v.w, v.r)
	v.redirect("/")
	return nil
}

func (v *visit) unlockForm() error {
	return v.render(http.StatusOK, "unlock", "Unlock", form{Next: v.r.FormValue("next")})
}

// unlock takes an identity, if it reads the repository, and holds it in memory for this browser.
func (v *visit) unlock() error {
	lent, err := parsed(v.r.PostFormValue("identity"), v.r.PostFormValue("passphrase"))
	if err != nil {
		return v.notUnlocked(err)
	}
	opened := &shelves{}
	lender := &session{lent: lent, shelves: opened}
	if _, err := v.Page.shelf(lender, v.repository(), false).known(v.r.Context()); err != nil {
		return v.notUnlocked(err)
	}
	v.sessions.lend(v.w, v.r, v.who, lent, opened)
	v.back()
	return nil
}

func (v *visit) notUnlocked(err error) error {
	wrong := err.Error()
	switch {
	case errors.Is(err, crypto.ErrPassphraseNeeded):
		wrong = "The identity is protected: type its passphrase too."
	case errors.Is(err, crypto.ErrWrongIdentity), errors.Is(err, catalog.ErrNoIdentity):
		wrong = "This identity does not open the repository, or the passphrase is wrong."
	}
	return v.render(http.StatusForbidden, "unlock", "Unlock", form{v.r.FormValue("next"), wrong})
}

// lock forgets the identity.
func (v *visit) lock() error {
	v.sessions.change(v.w, v.r, func(s *session) { s.lent, s.shelves = nil, nil })
	v.redirect("/")
	return nil
}

const themeCookie = "packstone_theme"

// theme remembers light or dark for a browser; anything else means what its system says.
func (v *visit) theme() error {
	chosen := cookie(v.r, themeCookie, v.r.PostFormValue("theme"))
	chosen.MaxAge = 365 * 24 * 3600
	if chosen.Value != "light" && chosen.Value != "dark" {
		chosen.MaxAge, chosen.Value = -1, ""
	}
	http.SetCookie(v.w, chosen)
	v.back()
	return nil
}
