# One image, one static binary; roles are subcommands (`selaras operator`, `selaras hub`, …).
# Works with and without BuildKit: no RUN --mount, no COPY --chmod, no --platform.
# Another architecture: `docker build --build-arg TARGETARCH=arm64 …` (BuildKit sets it by itself).
FROM golang:1.26-bookworm AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src

# Dependencies first: a change of the code alone does not fetch them again.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG VERSION=dev
# timetzdata: an empty image has no time zones, and quiet hours and freeze windows need them.
RUN CGO_ENABLED=0 GOOS="${TARGETOS:-linux}" GOARCH="${TARGETARCH:-$(go env GOARCH)}" \
    go build -trimpath -tags timetzdata -ldflags "-s -w -X main.version=${VERSION}" -o /out/selaras ./cmd/selaras

FROM scratch
# Certificate authorities of the public web, to reach shops.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/selaras /selaras
# By number, so that runAsNonRoot can be checked. Nothing is written outside mounted volumes.
USER 65532:65532
ENTRYPOINT ["/selaras"]
