# packstone as a static program on nothing but certificates. It runs as root unless told otherwise, since a backup has to
# read files of every owner; `--user 65532:65532` works where that is not so.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /packstone ./cmd/packstone
RUN mkdir -p /empty/tmp /empty/home /empty/etc && chmod 1777 /empty/tmp /empty/home \
 && printf 'root:x:0:0:root:/home:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home:/sbin/nologin\n' > /empty/etc/passwd

FROM scratch
COPY --from=build /empty/ /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /packstone /usr/bin/packstone
ENV HOME=/home PATH=/usr/bin
ENTRYPOINT ["packstone"]
CMD ["--help"]
