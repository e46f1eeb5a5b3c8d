"""The API's documentation, read from its OpenAPI document; works without internet."""

from fastapi import APIRouter, Request, Response

from services.console.pages.rendering import page

router = APIRouter()


@router.get("/api/docs")
async def docs(request: Request) -> Response:
    """Swagger's page, its files from a package."""
    return page(request, "docs.html")
