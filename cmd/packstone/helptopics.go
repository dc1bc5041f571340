package main

// topics are what packstone help says beside the verbs, at most 80 columns wide.
var topics = map[string]string{"exit-codes": exitCodesTopic, "environment": environmentTopic}

const exitCodesTopic = `Exit codes. Scripts should treat any other number as a failure.

    0  done
    1  failed
    2  the command line or the settings are wrong
    3  done, but something is missing and listed
    4  refused before changing anything
    5  integrity or signature failure, or a difference found
    6  a drill or fit check failed
    7  held or locked
    8  the storage or a source's server is unreachable
    9  incomplete set
   10  no repository there, or a first backup without --init
   11  archived by the storage; to be thawed first, see restore --thaw
   12  wrong or missing identity
  130  interrupted
`

const environmentTopic = `Environment variables. An empty one counts as unset.

Where things are
  PACKSTONE_REPOSITORY, _FILE  the repository's address, or a file that holds it
  PACKSTONE_CONFIG             the settings file
  PACKSTONE_CACHE_DIR          the directory of the caches
  PACKSTONE_HOST               the host that this machine backs up as
  XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_CACHE_HOME, HOME

Keys
  PACKSTONE_IDENTITY, _FILE, _COMMAND  the identity: a text, a file, or a command
  PACKSTONE_PASSPHRASE, _FILE          the passphrase of a protected identity
  PACKSTONE_RECIPIENTS_FILE            the recipients of a new repository
  PACKSTONE_WRITER_FILE                this host's key, with which it backs up
  PACKSTONE_OWNER_FILE                 the owner's key
  PACKSTONE_COLLECTOR_FILE             the key that forgets and prunes

Logins
  AWS_*                                as for the AWS SDK
  AWS_ENDPOINT_URL_S3                  the server for s3:// addresses
  PACKSTONE_S3_ACCESS_KEY, _FILE       for minio+https://; else AWS_*
  PACKSTONE_S3_SECRET_KEY, _FILE
  PACKSTONE_REMOTE_KEY_FILE            for SFTP; more in docs/settings.md
  PACKSTONE_REMOTE_PASSWORD, _FILE     for SFTP and FTP
  PACKSTONE_DB_PASSWORD, _FILE         for databases; or PGPASSFILE, ~/.my.cnf

Output
  PACKSTONE_PROGRESS_FPS   progress updates a second
  NO_COLOR, TERM=dumb      no colours; no colours and no progress line
`
