package main

import (
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
)

// bucketLogin is what is known of reaching buckets of lakes.
func (a *app) bucketLogin() config.BucketLogin {
	login := a.LakeLogin()
	login.Upload, login.Download = int64(a.flags.limitUp), int64(a.flags.limitDown)
	return login
}

// noteOf tells what a person should know of a source though nothing is wrong.
func (a *app) noteOf(source string) func(string) {
	return func(text string) { a.out.Warn(output.Warning{Item: output.Name(source), Message: text}) }
}
