// CNCF Distribution as the tests need it: `docker-registry serve CONFIG`, files as storage, htpasswd or tokens.
// Its own command draws in modules for crash reports and certificates that no test uses.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/docker/distribution/configuration"
	"github.com/docker/distribution/registry/handlers"
	gorilla "github.com/gorilla/handlers"
	"github.com/sirupsen/logrus"

	_ "github.com/docker/distribution/registry/auth/htpasswd"
	_ "github.com/docker/distribution/registry/auth/token"
	_ "github.com/docker/distribution/registry/storage/driver/filesystem"
)

func main() {
	if len(os.Args) != 3 || os.Args[1] != "serve" {
		log.Fatal("usage: docker-registry serve CONFIG")
	}
	file, err := os.Open(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	config, err := configuration.Parse(file)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(serve(config))
}

func serve(config *configuration.Configuration) error {
	level, err := logrus.ParseLevel(string(config.Log.Level))
	if err != nil {
		return err
	}
	logrus.SetLevel(level)
	var handler http.Handler = handlers.NewApp(context.Background(), config)
	if !config.Log.AccessLog.Disabled {
		handler = gorilla.CombinedLoggingHandler(os.Stdout, handler)
	}
	server := &http.Server{Addr: config.HTTP.Addr, Handler: handler}
	if config.HTTP.TLS.Certificate != "" {
		return server.ListenAndServeTLS(config.HTTP.TLS.Certificate, config.HTTP.TLS.Key)
	}
	return server.ListenAndServe()
}
