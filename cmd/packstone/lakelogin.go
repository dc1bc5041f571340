package main

import (
	"net/http"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
)

// bucketLogin is what the environment knows of reaching buckets of lakes: names of their own, else those of the repository.
func (a *app) bucketLogin() config.BucketLogin {
	login := config.BucketLogin{Region: a.env["PACKSTONE_LAKE_REGION"], Proxy: http.ProxyFromEnvironment, Keys: a.bucketKeys, CAs: a.certificates,
		Upload: int64(a.flags.limitUp), Download: int64(a.flags.limitDown)}
	if login.Region == "" {
		login.Region = a.env["AWS_REGION"]
	}
	return login
}

// bucketKeys finds the keys of a lake. For s3:// the AWS SDK finds what is not the lake's own.
func (a *app) bucketKeys(minio bool) (keys config.BucketKeys, err error) {
	if keys.Access, err = a.env.orFile("PACKSTONE_LAKE_ACCESS_KEY"); err != nil {
		return keys, err
	}
	if keys.Secret, err = a.env.orFile("PACKSTONE_LAKE_SECRET_KEY"); err != nil {
		return keys, err
	}
	if (keys.Access == "") != (keys.Secret == "") {
		return keys, usage("of the lake's keys only one is set: set both of PACKSTONE_LAKE_ACCESS_KEY and PACKSTONE_LAKE_SECRET_KEY, or their _FILE twins")
	}
	if keys.Access != "" || !minio {
		keys.Session, err = a.env.orFile("PACKSTONE_LAKE_SESSION_TOKEN")
		return keys, err
	}
	return a.repositoryKeys(minio)
}

// noteOf tells what a person should know of a source though nothing is wrong.
func (a *app) noteOf(source string) func(string) {
	return func(text string) { a.out.Warn(output.Warning{Item: output.Name(source), Message: text}) }
}
