"use strict";

window.addEventListener("DOMContentLoaded", () => {
  const csrf = document.getElementById("docs").dataset.csrf;
  window.SwaggerUIBundle({
    url: "/api/v1/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      request.headers["X-CSRF-Token"] = csrf;
      return request;
    },
  });
});
