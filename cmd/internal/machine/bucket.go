package machine

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
)

// LakeLogin returns how the environment says to reach buckets of lakes: variables for lakes, else
// those of the repository.
func (m *Machine) LakeLogin() config.BucketLogin {
	login := config.BucketLogin{Region: m.Env["PACKSTONE_LAKE_REGION"], Proxy: http.ProxyFromEnvironment, Keys: m.lakeKeys, CAs: m.certificates, Insecure: m.Flags.InsecureTLS}
	if login.Region == "" {
		login.Region = m.Env["AWS_REGION"]
	}
	return login
}

// RepositoryLogin returns how settings and environment say to reach the bucket of a repository.
func (m *Machine) RepositoryLogin(at config.Repository) config.BucketLogin {
	keys := func(minio bool) (config.BucketKeys, error) {
		if own, err := m.ownKeys(at); own.Access != "" || err != nil {
			return own, err
		}
		if !minio && !m.ownBucketKeys {
			return config.BucketKeys{}, nil // the AWS SDK finds them
		}
		return m.repositoryKeys(minio)
	}
	return config.BucketLogin{Keys: keys, Region: m.Env["AWS_REGION"], CAs: m.certificates, Insecure: m.Flags.InsecureTLS, Proxy: http.ProxyFromEnvironment}
}

// lakeKeys returns the keys of a lake. For s3:// it returns only keys set for lakes; the AWS SDK
// finds the others.
func (m *Machine) lakeKeys(minio bool) (keys config.BucketKeys, err error) {
	if keys.Access, err = m.Env.OrFile(m.Done, "PACKSTONE_LAKE_ACCESS_KEY"); err != nil {
		return keys, err
	}
	if keys.Secret, err = m.Env.OrFile(m.Done, "PACKSTONE_LAKE_SECRET_KEY"); err != nil {
		return keys, err
	}
	if (keys.Access == "") != (keys.Secret == "") {
		return keys, catalog.Misuse("of the lake's keys only one is set: set both of PACKSTONE_LAKE_ACCESS_KEY and PACKSTONE_LAKE_SECRET_KEY, or their _FILE twins")
	}
	if keys.Access != "" || !minio {
		keys.Session, err = m.Env.OrFile(m.Done, "PACKSTONE_LAKE_SESSION_TOKEN")
		return keys, err
	}
	return m.repositoryKeys(minio)
}

// ownKeys returns the keys that the settings name for one of several repositories, none if they
// name none.
func (m *Machine) ownKeys(at config.Repository) (keys config.BucketKeys, err error) {
	settings, err := m.Settings()
	if err != nil {
		return keys, err
	}
	target := settings.Repositories[settings.TargetAt(at.String())]
	if target.AccessKeyFile == "" {
		return keys, nil
	}
	if keys.Access, err = secretIn(target.AccessKeyFile); err == nil {
		keys.Secret, err = secretIn(target.SecretKeyFile)
	}
	return keys, err
}

// secretIn reads a secret that is the whole content of a file.
func secretIn(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", unusable("read the keys of a bucket: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// repositoryKeys returns the keys of the repository's bucket. The SDK finds AWS keys itself.
func (m *Machine) repositoryKeys(minio bool) (keys config.BucketKeys, err error) {
	if !minio {
		if keys.Access, err = m.Env.OrFile(m.Done, "PACKSTONE_S3_ACCESS_KEY"); err == nil {
			keys.Secret, err = m.Env.OrFile(m.Done, "PACKSTONE_S3_SECRET_KEY")
		}
		return keys, err
	}
	if keys.Access, err = m.s3Key("PACKSTONE_S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"); err != nil {
		return keys, err
	}
	if keys.Secret, err = m.s3Key("PACKSTONE_S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"); err != nil {
		return keys, err
	}
	if keys.Access == m.Env["AWS_ACCESS_KEY_ID"] { // the token belongs to these
		keys.Session = m.Env["AWS_SESSION_TOKEN"]
	}
	return keys, nil
}

func (m *Machine) s3Key(ours, aws string) (string, error) {
	key, err := m.Env.OrFile(m.Done, ours)
	if key == "" {
		key = m.Env[aws]
	}
	return key, err
}

// certificates reads --cacert or AWS_CA_BUNDLE. The AWS SDK reads the latter itself.
func (m *Machine) certificates() (*x509.CertPool, error) {
	path, what := m.Env["AWS_CA_BUNDLE"], "AWS_CA_BUNDLE"
	if m.Flags.CACert != "" {
		path, what = m.Flags.CACert, "--cacert"
	}
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil && m.Flags.CACert != "" {
		return nil, catalog.Misuse("%s: %w", what, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, catalog.Misuse("%s: %s holds no certificate", what, path)
	}
	return pool, nil
}

// IsAWS reports whether a bucket is at AWS: the environment names no other server.
func (m *Machine) IsAWS(at config.Repository) bool {
	endpoint := cmp.Or(m.Env["AWS_ENDPOINT_URL_S3"], m.Env["AWS_ENDPOINT_URL"])
	return at.Kind == config.S3 && (endpoint == "" || strings.Contains(endpoint, ".amazonaws.com"))
}
