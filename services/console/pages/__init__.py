"""The web pages: Jinja2 templates, htmx for what changes within a page, a WebSocket for progress.

routes      all pages' routes
rendering   templates, and what each page needs to know
form        the connection's form: fields from the model, errors beside them
checks      checks that are under way, shown stage by stage
charts      drawings, as numbers for the templates
live        progress of running scans, to all who watch
"""
