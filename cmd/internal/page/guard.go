package page

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
)

// Guard says who may see the page. Without a token and a header everybody may who reaches it: the
// caller serves it to this machine alone then.
type Guard struct {
	Token   string         // "": nobody logs in with one
	Header  string         // in which a proxy names who has logged in there; "": none does
	Proxies []netip.Prefix // from where the header counts
	Socket  bool           // it is served at a Unix socket, whose mode says who may connect
}

// GuardOf returns the guard that settings name, with the token in its file. It refuses to let
// whoever reaches an address from another machine see the page.
func GuardOf(serve config.Serve) (guard Guard, err error) {
	if !serve.Page {
		return guard, nil
	}
	if !serve.Guarded() && !config.IsLocal(serve.Listen) {
		return guard, catalog.Misuse("%s is reached from other machines, and nothing says who may see the page there: set serve.token_file or serve.identity_header", serve.Listen)
	}
	if serve.TokenFile != "" {
		if guard.Token, err = ReadToken(serve.TokenFile); err != nil {
			return guard, err
		}
	}
	_, guard.Socket = config.Socket(serve.Listen)
	guard.Header = serve.IdentityHeader
	guard.Proxies, err = serve.Proxies()
	return guard, err
}

// shortestToken is the least length of a token: shorter ones can be guessed.
const shortestToken = 16

// longestToken is how many bytes the file of a token may have.
const longestToken = 4096

// ReadToken reads a token from a file.
func ReadToken(path string) (string, error) {
	text, err := readShort(path, longestToken)
	if err != nil {
		return "", fmt.Errorf("read the token of the page (serve.token_file): %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < shortestToken {
		return "", fmt.Errorf("the token of the page in %s (serve.token_file) has less than %d characters; write a longer one, such as what openssl rand -hex 32 prints", path, shortestToken)
	}
	return token, nil
}

// readShort reads a file of at most most bytes.
func readShort(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return text, err
}

// Open reports whether whoever reaches the page may see it without showing who he is.
func (g Guard) Open() bool { return g.Token == "" && g.Header == "" && !g.Socket }

// person is who makes a request.
type person struct {
	name  string // for a page; "": not known
	known bool   // he has shown that he may see what this host can read
	shown proof  // by what
}

// proof is by what somebody has shown who he is.
type proof int

const (
	byNothing proof = iota
	byToken
	byHeader
	bySocket
)

// admit tells who makes a request, and whether he may.
func (g Guard) admit(r *http.Request, s *session) (who person, ok bool) {
	switch {
	case g.Header != "" && g.isProxy(r) && len(r.Header.Values(g.Header)) == 1 && r.Header.Get(g.Header) != "":
		return person{r.Header.Get(g.Header), true, byHeader}, true
	case g.Token != "" && g.bears(r):
		return person{"token", true, byToken}, true
	case g.Token != "" && s != nil && s.loggedIn:
		return person{"token", true, byToken}, true
	case g.Token != "" || g.Header != "":
		return person{}, false
	case g.Socket:
		return person{known: true, shown: bySocket}, true
	}
	return person{}, isLocalName(r.Host)
}

func (g Guard) isProxy(r *http.Request) bool {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return g.Socket
	}
	return slices.ContainsFunc(g.Proxies, func(p netip.Prefix) bool { return p.Contains(address.Addr().Unmap()) })
}

func (g Guard) bears(r *http.Request) bool {
	token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if given && !g.isToken(token) {
		time.Sleep(wrongToken)
		return false
	}
	return given
}

// isToken compares in a time that says nothing of the token.
func (g Guard) isToken(text string) bool {
	a, b := sha256.Sum256([]byte(text)), sha256.Sum256([]byte(g.Token))
	return g.Token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// isLocalName reports whether a request names this machine as one on it does. A page of somebody
// else's whose name leads to this machine does not.
func isLocalName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
