package page

import (
	"errors"
	"io/fs"
	"os"

	"github.com/packstone/packstone/cmd/internal/config"
)

// CheckFiles reads the token and the certificate of the page, if they are there and may be read.
// Pipes are left to who serves the page. Its error is of type config.Problems.
func CheckFiles(settings *config.Config) error {
	var token, certificate error
	s := settings.Serve
	if isFile(s.TokenFile) {
		_, token = ReadToken(s.TokenFile)
	}
	if isFile(s.TLSCertFile) && isFile(s.TLSKeyFile) {
		_, certificate = Certificate(s.TLSCertFile, s.TLSKeyFile)
	}
	var problems config.Problems
	for _, err := range []error{token, certificate} {
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			problems = append(problems, settings.ProblemAt("serve", "%v", err))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return problems
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
