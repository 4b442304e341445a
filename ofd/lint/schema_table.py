"""The schema of GB/T 33190-2016 Annex A, and of the signature files of §18, as one table.

Each line is an element type: its name, ``=`` when its children have the order given and ``~`` when they may stand in
any, then its attributes and children. ``!`` must be there, ``?`` at most once, ``*`` any number, ``+`` one or more,
``{2}`` at least two; attributes without a mark are optional. After a colon comes the type: of another line, or one
of :mod:`ofd.lint.values` in lower case; a child without one has the type of its own name, or is text.
``loc>Page`` is a link to a file whose root is ``Page``; ``loc>`` links a file that is not XML of the standard.
``ref>font`` names a resource by its ID, ``id>font`` gives it one. ``<`` after a name takes over all of another type.
"""

__all__ = ["TABLE", "VENDOR_ATTRIBUTES", "VENDOR_ELEMENTS"]

TABLE = """
OFD = @Version!:version @DocType!:doctype DocBody+
DocBody = DocInfo! DocRoot!:loc>Document Versions? Signatures?:loc>Signatures
DocInfo = DocID?:docid Title? Author? Subject? Abstract? CreationDate?:date ModDate?:date DocUsage?:usage \
  Cover?:loc>cover Keywords? Creator? CreatorVersion? CustomDatas?
Keywords = Keyword+
CustomDatas = CustomData+
CustomData = @Name!
Versions = Version+
Version = @ID! @Index!:int @Current:bool @BaseLoc!:loc>DocVersion
DocVersion = @ID! @Version @Name @CreationDate:date FileList! DocRoot!:loc>Document
FileList = File+
File = @ID!:text :loc>version

Document = CommonData! Pages! Outlines? Permissions? Actions? VPreferences? Bookmarks? Annotations?:loc>Annotations \
  CustomTags?:loc>CustomTags Attachments?:loc>Attachments Extensions?:loc>Extensions
CommonData = MaxUnitID!:uint PageArea! PublicRes*:loc>Res DocumentRes*:loc>Res TemplatePage* DefaultCS?:ref>color-space
PageArea = PhysicalBox!:box ApplicationBox?:box ContentBox?:box BleedBox?:box
TemplatePage = @ID!:id>template @Name @ZOrder:zorder @BaseLoc!:loc>Page
Pages = Page+:PageLink
PageLink = @ID!:id>page @BaseLoc!:loc>Page
Outlines = OutlineElem+
OutlineElem = @Title! @Count:int @Expanded:bool Actions? OutlineElem*
Permissions = Edit?:bool Annot?:bool Export?:bool Signature?:bool Watermark?:bool PrintScreen?:bool Print? ValidPeriod?
Print = @Printable!:bool @Copies:int
ValidPeriod = @StartDate:datetime @EndDate:datetime
VPreferences = PageMode?:pagemode PageLayout?:pagelayout TabDisplay?:tabdisplay HideToolbar?:bool HideMenubar?:bool \
  HideWindowUI?:bool ZoomMode?:zoommode Zoom?:number
Bookmarks = Bookmark+
Bookmark = @Name! Dest!
Dest = @Type!:desttype @PageID!:ref>page @Left:number @Top:number @Right:number @Bottom:number @Zoom:number
Actions = Action+
Action = @Event!:event Region? Goto? URI? GotoA? Sound? Movie?
Region = Area+:RegionArea
RegionArea ~ @Start!:position Move* Line* QuadraticBezier* CubicBezier* Arc* Close*:Nothing
Move = @Point1!:position
Line = @Point1!:position
QuadraticBezier = @Point1!:position @Point2!:position
CubicBezier = @Point1:position @Point2:position @Point3!:position
Arc = @SweepDirection!:bool @LargeArc!:bool @RotationAngle!:number @EllipseSize!:numbers @EndPoint!:position
Nothing =
Goto = Dest? Bookmark?:BookmarkName
BookmarkName = @Name!
URI = @URI! @Base @Target
GotoA = @AttachID! @NewWindow:bool
Sound = @ResourceID!:ref>media @Volume:int @Repeat:bool @Synchronous:bool
Movie = @ResourceID!:ref>media @Operator:movie

Page = Template* PageRes*:loc>Res Area?:PageArea Content? Actions?
Template = @TemplateID!:ref>template @ZOrder:zorder
Content = Layer+
PageBlock ~ @ID!:id>block TextObject* PathObject* ImageObject* CompositeObject* PageBlock*
Layer ~ <PageBlock @Type:layertype @DrawParam:ref>draw-parameter
Cell ~ @ID:id>block @Thumbnail:ref>media TextObject* PathObject* ImageObject* CompositeObject* PageBlock*
GraphicUnit = @Boundary!:box @Name @Visible:bool @CTM:matrix @DrawParam:ref>draw-parameter \
  @LineWidth:number @Cap:cap @Join:join @MiterLimit:number @DashOffset:number @DashPattern:numbers @Alpha:alpha \
  Actions? Clips?
ClipText = <GraphicUnit @Font!:ref>font @Size!:number @Stroke:bool @Fill:bool @HScale:number @ReadDirection:direction \
  @CharDirection:direction @Weight:weight @Italic:bool FillColor?:Color StrokeColor?:Color CGTransform* TextCode+
CGTransform = @CodePosition!:uint @CodeCount:uint @GlyphCount:uint Glyphs?:glyphs
TextObject = <ClipText @ID!:id>object
TextCode = @X:number @Y:number @DeltaX:deltas @DeltaY:deltas
ClipPath = <GraphicUnit @Stroke:bool @Fill:bool @Rule:rule StrokeColor?:Color FillColor?:Color AbbreviatedData!:path
PathObject = <ClipPath @ID!:id>object
ImageObject = <GraphicUnit @ID!:id>object @ResourceID!:ref>media @Substitution:ref>media @ImageMask:ref>media Border?
Border = @LineWidth:number @HorizonalCornerRadius:number @VerticalCornerRadius:number @DashOffset:number \
  @DashPattern:numbers BorderColor?:Color
CompositeObject = <GraphicUnit @ID!:id>object @ResourceID!:ref>composite
Clips = Clip+
Clip = Area+:ClipArea
ClipArea = @DrawParam:ref>draw-parameter @CTM:matrix Path?:ClipPath Text?:ClipText
Color = @Value:color @Index:uint @ColorSpace:ref>color-space @Alpha:alpha Pattern? AxialShd? RadialShd? GouraudShd? \
  LaGourandShd?
Pattern = @Width!:number @Height!:number @XStep:number @YStep:number @ReflectMethod:reflect @RelativeTo:relative \
  @CTM:matrix CellContent!:Cell
AxialShd = @StartPoint!:position @EndPoint!:position @MapType:maptype @MapUnit:number @Extend:extend Segment{2}
RadialShd = @StartPoint!:position @EndPoint!:position @StartRadius:number @EndRadius!:number @Eccentricity:number \
  @Angle:number @MapType:maptype @MapUnit:number @Extend:extend Segment{2}
Segment = @Position:number Color!
GouraudShd = @Extend:extend Point{3}:MeshPoint BackColor?:Color
LaGourandShd = @VerticesPerRow!:uint @Extend:extend Point{4}:MeshPoint BackColor?:Color
MeshPoint = @X!:number @Y!:number @EdgeFlag:edge Color!

Res ~ @BaseLoc!:base ColorSpaces* DrawParams* Fonts* MultiMedias* CompositeGraphicUnits*
ColorSpaces = ColorSpace+
ColorSpace = @ID!:id>color-space @Type!:colortype @BitsPerComponent:uint @Profile:loc>profile Palette?
Palette = CV+:color
DrawParams = DrawParam+
DrawParam = @ID!:id>draw-parameter @Relative:ref>draw-parameter @LineWidth:number @Join:join @Cap:cap \
  @DashOffset:number @DashPattern:numbers @MiterLimit:number FillColor?:Color StrokeColor?:Color
Fonts = Font+
Font = @ID!:id>font @FontName! @FamilyName @Charset:charset @Italic:bool @Bold:bool @Serif:bool @FixedWidth:bool \
  FontFile?:loc>font
MultiMedias = MultiMedia+
MultiMedia = @ID!:id>media @Type!:mediatype @Format MediaFile!:loc>media
CompositeGraphicUnits = CompositeGraphicUnit+
CompositeGraphicUnit = @ID!:id>composite @Width!:number @Height!:number Thumbnail?:ref>media Substitution?:ref>media \
  Content!:Cell

Annotations = Page*:AnnotationLink
AnnotationLink = @PageID!:ref>page FileLoc!:loc>PageAnnot
PageAnnot = Annot+
Annot = @ID!:id>annotation @Type!:annottype @Creator! @LastModDate!:date @Visible:bool @Subtype @Print:bool \
  @NoZoom:bool @NoRotate:bool @ReadOnly:bool Remark? Parameters? Appearance!
Parameters = Parameter+
Parameter = @Name!
Appearance ~ <Cell @Boundary:box
Attachments = Attachment*
Attachment = @ID! @Name! @Format @CreationDate:moment @ModDate:moment @Size:number @Visible:bool @Usage \
  FileLoc!:loc>attachment
CustomTags = CustomTag*
CustomTag = @NameSpace! SchemaLoc?:loc>tag FileLoc!:loc>tag
Extensions = Extension+
Extension ~ @AppName! @Company @AppVersion @Date:date @RefId!:uint Property* Data*:any ExtendData*:loc>extension
Property = @Name! @Type

Signatures = MaxSignId?:text Signature*:SignatureLink
SignatureLink = @ID! @Type:signtype @BaseLoc!:loc>Signature @Relative
Signature = SignedInfo! SignedValue!:loc>signed-value
SignedInfo = Provider! SignatureMethod? SignatureDateTime? Parameters? References! StampAnnot*:Stamp Seal?:SealLink
Provider = @ProviderName! @Version @Company
References = @CheckMethod Reference+
Reference = @FileRef!:loc>reference CheckValue!
Stamp = @ID! @PageRef!:ref>page @Boundary!:box @Clip:box
SealLink = BaseLoc!:loc>seal
"""

VENDOR_ATTRIBUTES = {
    "Annot": {"Name"},
    "Annotations": set[str](),
    "Clips": {"TransFlag"},
    "CustomTag": {"TypeID"},
    "GraphicUnit": {"BlendMode"},
    "Provider": {"ProtocolVer"},
}
"""Attributes that OFD 1.1, 1.2 and the products in the field add, by the type they stand on."""
VENDOR_ELEMENTS = {"PageArea": {"CropBox"}, "Provider": {"ExtendData"}, "SealLink": {"ImageLoc"}}
"""Elements likewise."""
